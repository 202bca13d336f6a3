# ruff: noqa: E501 (a line of the catalogue is one line)
"""What each family counts, in words: the one place from which the catalogue is read.

A line is `name | windows | unit | where nothing is there | meaning | 含义`. A window is a number of days, or L for
everything so far; `{w}` in a meaning becomes the window's words. Where nothing is there a count is 0 and the rest unknown. A category whose
line is followed by lines `value | English name | 中文名` is a segment: it has these values and no other.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One SQL file of features: the tables it needs (all of `needs`, or at least one of `any_of`) and its lines."""

    name: str
    needs: frozenset[str]
    lines: str
    any_of: frozenset[str] = frozenset()
    modelled: bool = True
    """Whether models read it. Training neither builds nor reads the others; rules, releases and exports have them."""

    def possible(self, tables: frozenset[str]) -> bool:
        """Whether these tables are enough."""
        return self.needs <= tables and (not self.any_of or bool(self.any_of & tables))


_ORDERS = frozenset({"orders"})
_EVENTS = frozenset({"events"})

FAMILIES: tuple[Family, ...] = (
    Family(
        "activity",
        frozenset(),
        any_of=_ORDERS | _EVENTS,
        lines="""
days_since_last_act | L | days | ? | days since the last act | 距最近一次活跃的天数
days_since_first_act | L | days | ? | days since the first act | 距首次活跃的天数
act_day_count | L | days | 0 | days with an act {w} | {w}活跃天数
""",
    ),
    Family(
        "recency",
        _ORDERS,
        """
days_since_last_order | . | days | ? | days since the last order | 距最近一次下单的天数
days_since_first_order | . | days | ? | days since the first order | 距首次下单的天数
days_since_second_last_order_day | . | days | ? | days since the last order day but one | 距倒数第二个下单日的天数
days_since_third_last_order_day | . | days | ? | days since the last order day but two | 距倒数第三个下单日的天数
days_between_first_and_last_order | . | days | ? | days from the first order to the last | 首单到末单的天数
recency_share_of_tenure | . | share | ? | days since the last order as a share of days since the first | 未下单天数占首单以来天数的比例
""",
    ),
    Family(
        "frequency",
        _ORDERS,
        """
order_count | 7 14 30 60 90 180 365 L | orders | 0 | orders {w} | {w}订单数
order_day_count | 30 90 180 365 L | days | 0 | days with an order {w} | {w}下单天数
order_count_same_season_last_year | . | orders | 0 | orders within 30 days of the same day a year ago | 去年同期前后30天的订单数
active_month_count | 360 | periods | 0 | of the last twelve periods of 30 days, those with an order | 最近十二个30天中有下单的个数
orders_per_30_days | L | orders | ? | orders per 30 days since the first order | 首单以来每30天的订单数
""",
    ),
    Family(
        "regularity",
        _ORDERS,
        """
average_days_between_orders | . | days | ? | average days between order days | 下单间隔的平均天数
median_days_between_orders | . | days | ? | median days between order days | 下单间隔的中位天数
days_between_orders_deviation | . | days | ? | standard deviation of the days between order days | 下单间隔天数的标准差
shortest_days_between_orders | . | days | ? | shortest time between order days | 最短下单间隔天数
longest_days_between_orders | . | days | ? | longest time between order days | 最长下单间隔天数
last_days_between_orders | . | days | ? | days between the last two order days | 最近两个下单日的间隔天数
days_between_orders_variation | . | ratio | ? | deviation of the days between order days over their average | 下单间隔的变异系数
overdue_ratio | . | ratio | ? | days since the last order over the usual (median) days between orders | 未下单天数与通常间隔之比
days_overdue | . | days | ? | days since the last order beyond the usual (median) days between orders | 超出通常间隔的天数
last_gap_ratio | . | ratio | ? | last days between orders over their average | 最近间隔与平均间隔之比
""",
    ),
    Family(
        "money",
        _ORDERS,
        """
amount | 7 14 30 60 90 180 365 L | money | 0 | money spent {w} | {w}消费金额
average_order_value | 90 365 L | money | ? | money per order {w} | {w}客单价
highest_order_amount | L | money | ? | largest order {w} | 历史最大单笔金额
lowest_order_amount | L | money | ? | smallest order {w} | 历史最小单笔金额
median_order_amount | L | money | ? | median order {w} | 历史单笔金额中位数
order_amount_deviation | L | money | ? | standard deviation of order amounts {w} | 历史单笔金额标准差
first_order_day_amount | . | money | ? | money spent on the first order day | 首个下单日的消费金额
last_order_day_amount | . | money | ? | money spent on the last order day | 最近下单日的消费金额
amount_per_30_days | L | money | ? | money per 30 days since the first order | 首单以来每30天的消费金额
""",
    ),
    Family(
        "discount",
        _ORDERS,
        """
discount_share | 90 180 365 L | share | ? | discount as a share of list price {w} | {w}折扣深度
discount_order_share | 90 180 365 L | share | ? | share of orders with a discount {w} | {w}有折扣订单的比例
coupon_order_share | 90 365 L | share | ? | share of orders with a coupon {w} | {w}用券订单的比例
discount_amount | 30 90 365 L | money | 0 | money saved by discounts {w} | {w}优惠金额
days_since_last_full_price_order_day | . | days | ? | days since the last order day without any discount | 距最近一次原价下单日的天数
""",
    ),
    Family(
        "price",
        _ORDERS,
        """
amount_per_unit | L | money | ? | money per unit {w} | {w}件均价
average_price_percentile | 180 L | share | ? | where the items bought stand in their category by price (1 dearest), {w} | {w}所购商品在品类内的平均价位
highest_price_percentile | L | share | ? | price position of the dearest item bought {w} | 历史所购最贵商品的价位
premium_line_share | L | share | ? | share of lines in the dearest fifth of their category {w} | {w}高价位商品行占比
budget_line_share | L | share | ? | share of lines in the cheapest fifth of their category {w} | {w}低价位商品行占比
""",
    ),
    Family(
        "items",
        _ORDERS,
        """
item_count | 30 90 180 365 L | items | 0 | different items bought {w} | {w}购买的不同商品数
new_item_count | 30 90 | items | 0 | items bought for the first time {w} | {w}首次购买的商品数
repeat_item_count | L | items | 0 | items bought on more than one day {w} | {w}复购商品数
repeat_item_share | L | share | ? | share of items bought on more than one day {w} | {w}复购商品占比
repeat_line_share | L | share | ? | share of lines whose item was bought on more than one day {w} | {w}复购商品行占比
top_item_line_share | L | share | ? | share of lines of the most bought item {w} | {w}最常购商品的行占比
top_item_amount_share | L | share | ? | share of money spent on one item at most {w} | 历史单一商品的最高消费占比
""",
    ),
    Family(
        "categories",
        _ORDERS | {"items"},
        """
category_count | 30 90 365 L | categories | 0 | different categories bought {w} | {w}购买的不同品类数
new_category_count | 90 | categories | 0 | categories bought for the first time {w} | {w}首次购买的品类数
top_category | L | * | ? | category with the most money {w} | {w}消费最多的品类
top_category_share | L | share | ? | share of money in the category with the most {w} | {w}消费最多品类的金额占比
days_since_top_category | . | days | ? | days since the category with the most money was last bought | 距最近一次购买消费最多品类的天数
second_category | L | * | ? | category with the second most money {w} | {w}消费第二多的品类
category_concentration | L | share | ? | sum of squared shares of money by category (1: only one) {w} | {w}品类集中度
""",
    ),
    Family(
        "basket",
        _ORDERS,
        """
unit_count | 30 90 365 L | units | 0 | units bought {w} | {w}购买件数
units_per_order | 90 365 L | units | ? | units per order {w} | {w}单均件数
lines_per_order | 90 365 L | lines | ? | lines per order {w} | {w}单均商品行数
highest_units_per_order | L | units | ? | most units in one order {w} | 历史单笔最多件数
highest_lines_per_order | L | lines | ? | most lines in one order {w} | 历史单笔最多商品行数
single_line_order_share | L | share | ? | share of orders with one line {w} | {w}单行订单占比
channel_count | L | channels | 0 | different channels of orders {w} | {w}下单渠道数
""",
    ),
    Family(
        "returns",
        _ORDERS,
        """
return_count | 30 90 365 L | lines | 0 | lines given back {w} | {w}退货行数
return_amount | 90 365 L | money | 0 | money given back {w} | {w}退货金额
return_line_share | L | share | ? | lines given back per line bought {w} | {w}退货行占比
return_amount_share | 365 L | share | ? | money given back per money spent {w} | {w}退货金额占比
net_amount | 365 L | money | 0 | money spent less money given back {w} | {w}净消费金额
days_since_last_return | . | days | ? | days since the last return | 距最近一次退货的天数
""",
    ),
    Family(
        "week",
        _ORDERS,
        """
weekend_order_share | L | share | ? | share of orders on Saturday and Sunday {w} | {w}周末订单占比
night_order_share | L | share | ? | share of orders from 22 to 6 o'clock {w} | {w}夜间订单占比
morning_order_share | L | share | ? | share of orders from 6 to 12 o'clock {w} | {w}上午订单占比
afternoon_order_share | L | share | ? | share of orders from 12 to 18 o'clock {w} | {w}下午订单占比
evening_order_share | L | share | ? | share of orders from 18 to 22 o'clock {w} | {w}晚间订单占比
monday_order_share | L | share | ? | share of orders on Monday {w} | {w}周一订单占比
friday_order_share | L | share | ? | share of orders on Friday {w} | {w}周五订单占比
average_order_hour | L | hours | ? | average hour of the day of orders {w} | 历史平均下单时刻
weekday_count | L | days | 0 | different days of the week with an order {w} | 历史下单覆盖周一至周日中的几天
""",
    ),
    Family(
        "season",
        _ORDERS,
        """
festival_order_share | L | share | ? | share of orders on days of 618, Qixi, Double Eleven or Christmas {w} | {w}大促节日订单占比
festival_amount_share | L | share | ? | share of money on days of 618, Qixi, Double Eleven or Christmas {w} | {w}大促节日消费占比
festival_order_count | 365 | orders | 0 | orders on days of 618, Qixi, Double Eleven or Christmas {w} | {w}大促节日订单数
order_count_618 | L | orders | 0 | orders in 618 {w} | {w}618订单数
order_count_qixi | L | orders | 0 | orders before Qixi {w} | {w}七夕订单数
order_count_double_eleven | L | orders | 0 | orders in Double Eleven {w} | {w}双11订单数
order_count_christmas | L | orders | 0 | orders before Christmas {w} | {w}圣诞订单数
""",
    ),
    Family(
        "trend",
        _ORDERS,
        """
order_count_slope | 180 | orders | 0 | growth of orders per 30 days (regression over six periods) {w} | {w}订单数趋势斜率
amount_slope | 180 | money | 0 | growth of money per 30 days (regression over six periods) {w} | {w}消费金额趋势斜率
order_count_change | 30 90 | orders | 0 | orders {w} less those of the period before | {w}订单数较前期变化
amount_change | 30 90 | money | 0 | money spent {w} less that of the period before | {w}消费金额较前期变化
recent_order_share | 180 | share | ? | of the orders {w}, the share of the last 30 days | {w}订单中近30天的占比
recent_amount_share | 365 | share | ? | of the money {w}, the share of the last 90 days | {w}消费中近90天的占比
""",
    ),
    Family(
        "browsing",
        _EVENTS,
        """
event_count | 1 7 14 30 90 L | events | 0 | events {w} | {w}行为次数
event_day_count | 7 30 90 L | days | 0 | days with an event {w} | {w}有行为的天数
days_since_last_event | . | days | ? | days since the last event | 距最近一次行为的天数
days_since_first_event | . | days | ? | days since the first event | 距首次行为的天数
item_event_count | 7 30 90 | events | 0 | events about an item {w} | {w}商品相关行为次数
page_event_count | 30 | events | 0 | events on a page {w} | {w}页面行为次数
cart_event_count | 7 30 90 | events | 0 | times put in the cart {w} | {w}加购次数
favourite_event_count | 30 90 | events | 0 | times marked as a favourite {w} | {w}收藏次数
search_event_count | 7 30 90 | events | 0 | searches {w} | {w}搜索次数
dwell_seconds | 7 30 | seconds | 0 | seconds of dwelling {w} | {w}停留秒数
night_event_share | L | share | ? | share of events from 22 to 6 o'clock {w} | {w}夜间行为占比
average_rating | L | rating | ? | average rating given {w} | 历史平均评分
rating_count | L | events | 0 | ratings given {w} | {w}评分次数
days_since_last_cart_event | . | days | ? | days since something was put in the cart | 距最近一次加购的天数
days_since_last_search_event | . | days | ? | days since the last search | 距最近一次搜索的天数
recent_event_share | 30 | share | ? | of the events {w}, the share of the last 7 days | {w}行为中近7天的占比
event_count_change | 30 | events | 0 | events {w} less those of the 30 days before | {w}行为次数较前期变化
""",
    ),
    Family(
        "sessions",
        _EVENTS,
        """
session_count | 7 30 90 L | sessions | 0 | sessions {w} | {w}会话数
events_per_session | L | events | ? | events per session {w} | {w}每次会话的行为次数
""",
    ),
    Family(
        "interest",
        _EVENTS,
        """
viewed_item_count | 7 30 90 L | items | 0 | different items looked at {w} | {w}浏览的不同商品数
viewed_not_bought_item_count | 30 | items | 0 | items looked at {w} and never bought | {w}浏览而未购买的商品数
viewed_item_bought_share | L | share | ? | share of the items looked at that were bought {w} | {w}浏览商品的购买占比
viewed_category_count | 30 | categories | 0 | different categories looked at {w} | {w}浏览的不同品类数
""",
    ),
    Family(
        "touchpoints",
        _EVENTS,
        """
last_page | . | * | ? | page last seen | 最近访问页面
days_since_last_page | . | days | ? | days since a page was seen | 距最近访问页面的天数
joined_campaign_count | 90 | campaigns | 0 | different campaigns joined (acts that name one) {w} | {w}参与的不同活动数
""",
        modelled=False,
    ),
    Family(
        "feature_use",
        _EVENTS,
        """
app_feature_count | 30 90 L | features | 0 | different features of the app used {w} | {w}使用的不同功能数
app_feature_use_count | L | uses | 0 | uses of features of the app {w} | {w}功能使用次数
top_app_feature | L | * | ? | most used feature of the app {w} | {w}最常用功能
days_since_last_app_feature_use | . | days | ? | days since a feature of the app was used | 距最近一次使用功能的天数
""",
    ),
    Family(
        "contacts",
        frozenset({"contacts"}),
        """
contact_count | 7 30 90 L | contacts | 0 | times contacted {w} | {w}触达次数
campaign_count | 90 L | campaigns | 0 | different campaigns received {w} | {w}触达的不同活动数
contact_channel_count | L | channels | 0 | different channels of contact {w} | {w}触达渠道数
days_since_last_contact | . | days | ? | days since the last contact | 距最近一次触达的天数
days_since_first_contact | . | days | ? | days since the first contact | 距首次触达的天数
""",
    ),
    Family(
        "responses",
        _ORDERS | {"contacts"},
        """
answered_contact_count | L | contacts | 0 | contacts followed by an order within 7 days {w} | {w}触达后7天内下单的次数
answered_contact_share | L | share | ? | share of contacts followed by an order within 7 days {w} | {w}触达后7天内下单的比例
""",
    ),
    Family(
        "tags",
        frozenset({"tags"}),
        """
tag_count | . | tags | 0 | tags that stand | 有效标签数
days_since_last_tag | . | days | ? | days since the last tag was set | 距最近一次打标的天数
""",
    ),
    Family(
        "attributes",
        frozenset({"users"}),
        """
days_since_registration | . | days | ? | days since registration | 注册天数
region | . | * | ? | region | 地区
gender | . | * ! | ? | gender | 性别
birth_year | . | year ! | ? | year of birth | 出生年份
was_referred | . | flag | ? | 1 where somebody referred the customer | 是否由他人推荐
""",
    ),
    Family(
        "segments",
        _ORDERS,
        """
buyer_type | . | * | never_bought | orders so far: none, one, more | 累计订单数：无、一单、多单
never_bought | never bought | 未购
one_time | bought once | 一次客
repeat | repeat buyer | 复购客
price_level | . | * | ? | average place by price in their category of the items bought so far, in thirds | 累计所购商品在品类内的平均价位，三等分
budget | lower third | 低价位
middle | middle third | 中价位
premium | upper third | 高价位
discount_affinity | . | * | ? | share of orders with a discount so far: to 20 %, to 60 %, above; unknown below two orders | 累计有折扣订单的比例：不超过20%、不超过60%、以上；不足两单则未知
full_price | full price | 正价
mixed | with and without discount | 兼买
discount | mostly at a discount | 折扣
""",
    ),
    Family(
        "lifecycle",
        frozenset(),
        any_of=_ORDERS | _EVENTS,
        lines="""
lifecycle_group | . | * | ? | lifecycle group in the month that holds the day before the cutoff | 截止日前一天所在自然月的生命周期分组
new | new | 新
last_new | new last period | 上期新
active | active | 活跃
awakened | awakened | 唤醒
returned | returned | 回流
dormant | dormant | 休眠
lapsed | lapsed | 流失
lifecycle_group_week | . | * | ? | lifecycle group in the ISO week that holds the day before the cutoff | 截止日前一天所在自然周的生命周期分组
new | new | 新
last_new | new last period | 上期新
active | active | 活跃
awakened | awakened | 唤醒
returned | returned | 回流
dormant | dormant | 休眠
lapsed | lapsed | 流失
lifecycle_group_complete | . | * | ? | lifecycle group in the last month that was over at the cutoff | 截止日前最后一个完整自然月的生命周期分组
new | new | 新
last_new | new last period | 上期新
active | active | 活跃
awakened | awakened | 唤醒
returned | returned | 回流
dormant | dormant | 休眠
lapsed | lapsed | 流失
concentration_group | . | * | potential | never acted; acted, but not in the last 30 days; acted in them; and of these the head: the fewest customers who hold 80 % of the value of the last 365 days | 从未活跃；活跃过但近30天未活跃；近30天活跃；其中头部（合计占近365天价值80%的最少客户）
potential | never acted | 潜在
ordinary | not active | 普通
active | active | 活跃
core | active and in the head | 核心
""",
        modelled=False,
    ),
    Family(
        "rfm",
        frozenset(),
        any_of=_ORDERS | _EVENTS,
        lines="""
rfm_type | . | * | ? | recency, frequency and money of the last 365 days, each high or low (cut nearest to the median; without orders: acts, and engagement for money) | 近365天的最近一次、频次、金额各分高低（取最接近中位数的分界；无订单时按活跃与互动量）
important_value | important, recent and frequent | 重要价值
important_growth | important, recent, seldom | 重要发展
important_keep | important, frequent, not recent | 重要保持
important_winback | important, neither recent nor frequent | 重要挽留
ordinary_value | ordinary, recent and frequent | 一般价值
ordinary_growth | ordinary, recent, seldom | 一般发展
ordinary_keep | ordinary, frequent, not recent | 一般保持
ordinary_winback | ordinary, neither recent nor frequent | 一般挽留
rfm_recency_score | . | score | ? | recency from 1 to 5: k where at least (k − 1) fifths of the customers of the last 365 days are lower | 最近一次得分（1–5）：近365天的客户中至少有（k−1）/5低于该客户则为k
rfm_frequency_score | . | score | ? | frequency from 1 to 5, in the same way | 频次得分（1–5），算法相同
rfm_amount_score | . | score | ? | money from 1 to 5, in the same way (without orders: engagement) | 金额得分（1–5），算法相同（无订单时为互动量）
rfm_grid | . | * | ? | cell of the grid of recency score and frequency score | 最近一次得分与频次得分构成的5×5网格
champion | recent 5, frequency 4 to 5 | 冠军
loyal | recent 3 to 4, frequency 4 to 5 | 忠诚
potential_loyal | recent 4 to 5, frequency 2 to 3 | 潜在忠诚
recent | recent 5, frequency 1 | 新近
promising | recent 4, frequency 1 | 有望
needs_attention | recent 3, frequency 3 | 需关注
about_to_sleep | recent 3, frequency 1 to 2 | 将沉睡
cannot_lose | recent 1 to 2, frequency 5 | 不可失去
at_risk | recent 1 to 2, frequency 3 to 4 | 有风险
hibernating | recent 1 to 2, frequency 1 to 2 | 沉睡
""",
        modelled=False,
    ),
    Family(
        "preference_windows",
        frozenset(),
        any_of=_ORDERS | _EVENTS,
        lines="""
order_preferences_are_old | . | flag | ? | 1 where there was no order in the last 90 days: preferences are those of the 90 days up to the last one | 近90天无订单（偏好取自最后一单之前90天）为1
act_preferences_are_old | . | flag | ? | 1 where there was no event in the last 90 days: preferences are those of the 90 days up to the last one | 近90天无行为（偏好取自最后一次行为之前90天）为1
""",
        modelled=False,
    ),
    Family(
        "order_preferences",
        _ORDERS,
        """
preferred_price_band | . | * | ? | price band (fifths of the items of a category by price) in most orders of the customer's last 90 days | 最近90天内订单中最多的价位（品类内按价格五等分）
lowest | cheapest fifth of the category | 最低价位
low | second fifth | 较低价位
middle | third fifth | 中等价位
high | fourth fifth | 较高价位
highest | dearest fifth | 最高价位
preferred_price_band_share | . | share | ? | its share of orders, small counts drawn towards everybody's | 其订单占比（次数少时向总体收缩）
preferred_price_band_amount_share | . | share | ? | its share of money, small counts drawn towards everybody's | 其金额占比（次数少时向总体收缩）
preferred_price_band_confidence | . | share | ? | how much of these shares is the customer's own, the rest being everybody's | 占比中来自本人数据的比重（其余来自总体）
preferred_channel | . | * | ? | channel in most orders of the customer's last 90 days | 最近90天内订单中最多的渠道
preferred_channel_share | . | share | ? | its share of orders, small counts drawn towards everybody's | 其订单占比（次数少时向总体收缩）
preferred_channel_amount_share | . | share | ? | its share of money, small counts drawn towards everybody's | 其金额占比（次数少时向总体收缩）
preferred_channel_confidence | . | share | ? | how much of these shares is the customer's own, the rest being everybody's | 占比中来自本人数据的比重（其余来自总体）
preferred_weekday | . | * | ? | day of the week in most orders of the customer's last 90 days | 最近90天内订单中最多的星期
monday | Monday | 周一
tuesday | Tuesday | 周二
wednesday | Wednesday | 周三
thursday | Thursday | 周四
friday | Friday | 周五
saturday | Saturday | 周六
sunday | Sunday | 周日
preferred_weekday_share | . | share | ? | its share of orders, small counts drawn towards everybody's | 其订单占比（次数少时向总体收缩）
preferred_weekday_amount_share | . | share | ? | its share of money, small counts drawn towards everybody's | 其金额占比（次数少时向总体收缩）
preferred_weekday_confidence | . | share | ? | how much of these shares is the customer's own, the rest being everybody's | 占比中来自本人数据的比重（其余来自总体）
preferred_hour_band | . | * | ? | time of day in most orders of the customer's last 90 days | 最近90天内订单中最多的时段
night | from 22 to 6 o'clock | 夜间
morning | from 6 to 12 o'clock | 上午
afternoon | from 12 to 18 o'clock | 下午
evening | from 18 to 22 o'clock | 晚间
preferred_hour_band_share | . | share | ? | its share of orders, small counts drawn towards everybody's | 其订单占比（次数少时向总体收缩）
preferred_hour_band_amount_share | . | share | ? | its share of money, small counts drawn towards everybody's | 其金额占比（次数少时向总体收缩）
preferred_hour_band_confidence | . | share | ? | how much of these shares is the customer's own, the rest being everybody's | 占比中来自本人数据的比重（其余来自总体）
""",
        modelled=False,
    ),
    Family(
        "item_preferences",
        _ORDERS | {"items"},
        """
preferred_category | . | * | ? | category in most orders of the customer's last 90 days | 最近90天内订单中最多的品类
preferred_category_share | . | share | ? | its share of orders, small counts drawn towards everybody's | 其订单占比（次数少时向总体收缩）
preferred_category_amount_share | . | share | ? | its share of money, small counts drawn towards everybody's | 其金额占比（次数少时向总体收缩）
preferred_category_confidence | . | share | ? | how much of these shares is the customer's own, the rest being everybody's | 占比中来自本人数据的比重（其余来自总体）
preferred_brand | . | * | ? | brand in most orders of the customer's last 90 days | 最近90天内订单中最多的品牌
preferred_brand_share | . | share | ? | its share of orders, small counts drawn towards everybody's | 其订单占比（次数少时向总体收缩）
preferred_brand_amount_share | . | share | ? | its share of money, small counts drawn towards everybody's | 其金额占比（次数少时向总体收缩）
preferred_brand_confidence | . | share | ? | how much of these shares is the customer's own, the rest being everybody's | 占比中来自本人数据的比重（其余来自总体）
""",
        modelled=False,
    ),
    Family(
        "act_preferences",
        _EVENTS,
        """
preferred_app_feature | . | * | ? | function of the app in most active days of the customer's last 90 days | 最近90天内活跃天数中最多的功能
preferred_app_feature_share | . | share | ? | its share of active days, small counts drawn towards everybody's | 其活跃天数占比（次数少时向总体收缩）
preferred_app_feature_confidence | . | share | ? | how much of these shares is the customer's own, the rest being everybody's | 占比中来自本人数据的比重（其余来自总体）
preferred_page | . | * | ? | page in most active days of the customer's last 90 days | 最近90天内活跃天数中最多的页面
preferred_page_share | . | share | ? | its share of active days, small counts drawn towards everybody's | 其活跃天数占比（次数少时向总体收缩）
preferred_page_confidence | . | share | ? | how much of these shares is the customer's own, the rest being everybody's | 占比中来自本人数据的比重（其余来自总体）
""",
        modelled=False,
    ),
    Family(
        "discount_sensitivity",
        _ORDERS,
        """
discount_sensitivity | . | share | ? | depth of the discounts in 365 days beyond the mean of the same categories in the same weeks, small counts drawn towards 0 (observational) | 近365天折扣深度高出同品类同周均值的部分，次数少时向0收缩（观察性）
discount_sensitivity_confidence | . | share | ? | how much of it is the customer's own | 其中来自本人数据的比重
deep_discount_share | 365 | share | ? | share of list price bought at 20 % off or more, and at least 10 points deeper than usual, {w} | {w}以深折扣（不低于20%且比通常深10个百分点）购买的标价占比
margin_share | 365 | share | ? | money spent less cost of the items, over money spent, {w} | {w}毛利占消费金额的比例
shrunk_return_share | 365 | share | ? | lines given back per line bought, drawn towards everybody's, {w} | {w}退货行占比（向总体收缩）
coupon_hunter | . | * | ? | whether nearly all was bought at deep discounts, leaving at most a third of the usual margin (cost unknown: with more returns than usual) | 是否薅羊毛：几乎只买深折扣，且毛利不超过通常三分之一（无成本时：退货高于通常）
yes | coupon hunter | 是
no | not coupon hunter | 否
too_few | fewer than three orders in 365 days | 订单不足
discount_lover | . | * | ? | whether discounts are clearly deeper than others pay in the same categories and weeks; coupon hunters apart (observational) | 是否折扣偏好：折扣明显深于同品类同周的他人，不含薅羊毛者（观察性）
yes | discount lover | 是
no | not discount lover | 否
too_few | fewer than three orders in 365 days | 订单不足
""",
        modelled=False,
    ),
    Family(
        "festivals",
        _ORDERS,
        """
festival_preference_618 | . | ratio | ? | orders that 618 brought over those that own rate and everybody's season make, drawn towards 1 (observational) | 618带来的订单与按本人频率及总体季节性预期之比，向1收缩（观察性）
festival_lover_618 | . | * | ? | whether 618 draws more orders than from others: two of them lived through and two orders in them at least (observational) | 是否偏好618：至少经历两次且有两单（观察性）
yes | drawn by 618 | 是
no | not drawn by 618 | 否
not_enough_years | lived through fewer than two of them | 年数不足
festival_preference_qixi | . | ratio | ? | orders that Qixi brought over those that own rate and everybody's season make, drawn towards 1 (observational) | 七夕带来的订单与按本人频率及总体季节性预期之比，向1收缩（观察性）
festival_lover_qixi | . | * | ? | whether Qixi draws more orders than from others: two of them lived through and two orders in them at least (observational) | 是否偏好七夕：至少经历两次且有两单（观察性）
yes | drawn by Qixi | 是
no | not drawn by Qixi | 否
not_enough_years | lived through fewer than two of them | 年数不足
festival_preference_double_eleven | . | ratio | ? | orders that Double Eleven brought over those that own rate and everybody's season make, drawn towards 1 (observational) | 双11带来的订单与按本人频率及总体季节性预期之比，向1收缩（观察性）
festival_lover_double_eleven | . | * | ? | whether Double Eleven draws more orders than from others: two of them lived through and two orders in them at least (observational) | 是否偏好双11：至少经历两次且有两单（观察性）
yes | drawn by Double Eleven | 是
no | not drawn by Double Eleven | 否
not_enough_years | lived through fewer than two of them | 年数不足
festival_preference_christmas | . | ratio | ? | orders that Christmas brought over those that own rate and everybody's season make, drawn towards 1 (observational) | 圣诞带来的订单与按本人频率及总体季节性预期之比，向1收缩（观察性）
festival_lover_christmas | . | * | ? | whether Christmas draws more orders than from others: two of them lived through and two orders in them at least (observational) | 是否偏好圣诞：至少经历两次且有两单（观察性）
yes | drawn by Christmas | 是
no | not drawn by Christmas | 否
not_enough_years | lived through fewer than two of them | 年数不足
festival_preference | . | ratio | ? | the same of 618, Qixi, Double Eleven and Christmas together (observational) | 四个节日合计的同一比值（观察性）
festival_lover | . | * | ? | whether these festivals together draw more orders than from others (observational) | 是否偏好节日（四个节日合计，观察性）
yes | drawn by festivals | 是
no | not drawn by festivals | 否
not_enough_years | lived through fewer than two of them | 年数不足
""",
        modelled=False,
    ),
    Family(
        "campaign_dependence",
        frozenset({"contacts"}),
        """
campaign_dependence | . | ratio | ? | days with an act in the seven days from a touch on over those in other weeks, since the first act, drawn towards everybody's (observational) | 触达后七天内的活跃率与其他周之比，自首次活跃起，向总体收缩（观察性）
campaign_dependence_confidence | . | share | ? | how much of it is the customer's own | 其中来自本人数据的比重
act_days_per_campaign_week | . | days | ? | days with an act per week of a campaign | 每个活动周的活跃天数
""",
        any_of=_ORDERS | _EVENTS,
        modelled=False,
    ),
    Family(
        "gifts",
        _ORDERS,
        """
gift_line_count | 365 | lines | 0 | lines of gift goods {w} (by attribute, else by a peak before Qixi and Christmas) | {w}礼品行数（按商品属性，否则按七夕、圣诞前的销售高峰判断）
gift_line_share | L | share | ? | share of lines that are gift goods {w} | {w}礼品行占比
days_since_last_gift | . | days | ? | days since the last gift was bought | 距最近一次购买礼品的天数
""",
        modelled=False,
    ),
    Family(
        "feedback",
        _EVENTS,
        """
last_rating | . | rating | ? | last rating given | 最近一次评分
days_since_last_rating | . | days | ? | days since the last rating | 距最近一次评分的天数
low_rating_count | 90 | events | 0 | ratings of at most 2 {w} | {w}低分（不高于2分）次数
complaint_count | 90 365 | events | 0 | complaints {w} | {w}投诉次数
days_since_last_complaint | . | days | ? | days since the last complaint | 距最近一次投诉的天数
stated_reason | . | * | ? | reason last stated (events reason, leaving_reason, cancel_reason: their feature, else their page) | 最近一次自述的原因
satisfaction | . | * | ? | by complaints of 90 days, else by the last rating | 满意度：近90天有投诉为不满，否则按最近一次评分
unhappy | complained, or last rating at most 2 | 不满
in_between | last rating 3 | 一般
happy | last rating 4 or more | 满意
""",
        modelled=False,
    ),
)
