# ruff: noqa: E501 (a line of the catalogue is one line)
"""What is counted of acts, orders, contacts and attributes: what models read."""

from __future__ import annotations

from features.families.family import EVENTS, ORDERS, Family

COUNTS: tuple[Family, ...] = (
    Family(
        "activity",
        frozenset(),
        any_of=ORDERS | EVENTS,
        lines="""
days_since_last_act | L | days | ? | days since the last act | 距最近一次活跃的天数
days_since_first_act | L | days | ? | days since the first act | 距首次活跃的天数
act_day_count | L | days | 0 | days with an act {w} | {w}活跃天数
""",
    ),
    Family(
        "recency",
        ORDERS,
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
        ORDERS,
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
        ORDERS,
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
        ORDERS,
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
        ORDERS,
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
        ORDERS,
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
        ORDERS,
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
        ORDERS | {"items"},
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
        ORDERS,
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
        ORDERS,
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
        ORDERS,
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
        ORDERS,
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
        ORDERS,
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
        EVENTS,
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
        EVENTS,
        """
session_count | 7 30 90 L | sessions | 0 | sessions {w} | {w}会话数
events_per_session | L | events | ? | events per session {w} | {w}每次会话的行为次数
""",
    ),
    Family(
        "interest",
        EVENTS,
        """
viewed_item_count | 7 30 90 L | items | 0 | different items looked at {w} | {w}浏览的不同商品数
viewed_not_bought_item_count | 30 | items | 0 | items looked at {w} and never bought | {w}浏览而未购买的商品数
viewed_item_bought_share | L | share | ? | share of the items looked at that were bought {w} | {w}浏览商品的购买占比
viewed_category_count | 30 | categories | 0 | different categories looked at {w} | {w}浏览的不同品类数
""",
    ),
    Family(
        "touchpoints",
        EVENTS,
        """
last_page | . | * | ? | page last seen | 最近访问页面
days_since_last_page | . | days | ? | days since a page was seen | 距最近访问页面的天数
joined_campaign_count | 90 | campaigns | 0 | different campaigns joined (acts that name one) {w} | {w}参与的不同活动数
""",
        modelled=False,
    ),
    Family(
        "feature_use",
        EVENTS,
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
        ORDERS | {"contacts"},
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
)
