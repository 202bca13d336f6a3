# ruff: noqa: E501 (a line of the catalogue is one line)
"""What customers lean to: preferences, sensitivities, gifts, feedback. Models do not read them."""

from __future__ import annotations

from features.families.family import EVENTS, ORDERS, Family

LEANINGS: tuple[Family, ...] = (
    Family(
        "preference_windows",
        frozenset(),
        any_of=ORDERS | EVENTS,
        lines="""
order_preferences_are_old | . | flag | ? | 1 where there was no order in the last 90 days: preferences are those of the 90 days up to the last one | 近90天无订单（偏好取自最后一单之前90天）为1
act_preferences_are_old | . | flag | ? | 1 where there was no event in the last 90 days: preferences are those of the 90 days up to the last one | 近90天无行为（偏好取自最后一次行为之前90天）为1
""",
        modelled=False,
    ),
    Family(
        "order_preferences",
        ORDERS,
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
        ORDERS | {"items"},
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
        EVENTS,
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
        ORDERS,
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
        ORDERS,
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
        any_of=ORDERS | EVENTS,
        modelled=False,
    ),
    Family(
        "gifts",
        ORDERS,
        """
gift_line_count | 365 | lines | 0 | lines of gift goods {w} (by attribute, else by a peak before Qixi and Christmas) | {w}礼品行数（按商品属性，否则按七夕、圣诞前的销售高峰判断）
gift_line_share | L | share | ? | share of lines that are gift goods {w} | {w}礼品行占比
days_since_last_gift | . | days | ? | days since the last gift was bought | 距最近一次购买礼品的天数
""",
        modelled=False,
    ),
    Family(
        "feedback",
        EVENTS,
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
